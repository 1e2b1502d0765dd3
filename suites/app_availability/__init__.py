"""What an app's users see while the platform is deployed."""
