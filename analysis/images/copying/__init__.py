"""The test for copies of training images: search by registration, kinds of copies, verdict."""
