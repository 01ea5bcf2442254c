"""OSCQuery (the Vidvox proposal), without sockets: the address tree as JSON, and its sessions.

service      all of it, as an HTTP and WebSocket server uses it
answers      path and query of a request -> status and body
describe     a node of the tree as JSON
listening    one client on a WebSocket
notices      which parts of the tree clients have to read again
frames       takes bundles apart
"""
