"""Unread mail from IMAP, over SOCKS where there is a proxy, into Redis."""
