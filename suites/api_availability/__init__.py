"""What the platform's developers see while it is deployed."""
