"""Were training images copied? The search by registration, the kinds of copies, the verdict: functions of images."""
