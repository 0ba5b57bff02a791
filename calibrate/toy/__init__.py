"""The authors' experiment on points in the plane, trained and evaluated as they do."""
