"""What the user says of alerts, and learning anew from what watching kept."""
