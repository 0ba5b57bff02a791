"""What normal means: footage, training, threshold, report; and measurements on labelled footage."""
