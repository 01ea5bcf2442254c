"""The HTTP and WebSocket server. It is independent of OSC: the services are passed to it.

start        starts the server, and loads aiohttp in the background
server       listens, checks every request and finds the route that answers it
guard        which requests are refused: by source address, `Host` and `Origin`
connections  how many connections there are, and how long they may be idle
routes       what a route is, and what the OSCQuery service has to offer
query        the route of OSCQuery: JSON, and its WebSockets
page_files   the route of the page for browsers, whose files are in page/
api          the route of files that clients send and get
websocket    frames to one WebSocket, bounded where its client does not read

Only modules of this folder import aiohttp. Importing it takes a good part of a second on a small
computer, so `start`, which the daemon imports, loads it in a background thread.
"""
