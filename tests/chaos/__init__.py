"""The proof by killing: whatever is killed, no mail is lost and none takes effect twice."""
