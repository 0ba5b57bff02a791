"""Telling people and machines of alerts: from the outbox in the store to MQTT, webhooks and Apprise's services."""
