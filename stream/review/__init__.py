"""The review page: what a watch has found, to look at and to judge in a browser, served from the store."""
