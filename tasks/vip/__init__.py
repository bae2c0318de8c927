"""The VIP: who holds it, who stands by, how it is handed over."""
