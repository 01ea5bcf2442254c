"""OSC: from datagrams to settings and back, and who may send them."""
