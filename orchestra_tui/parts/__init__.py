"""What the application is composed of: each part has one duty, and the application says when."""
