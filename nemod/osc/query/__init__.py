"""OSCQuery (the Vidvox proposal), without sockets: the address tree as JSON, and its sessions.

describe     a node of the tree, or the host, as JSON
answers      path and query of an HTTP request -> status and body
"""
