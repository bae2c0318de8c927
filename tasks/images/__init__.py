"""Container images: loaded, recorded, rolled back."""
