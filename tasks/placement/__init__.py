"""What would become of the pods at the drains, found before anything is changed."""
