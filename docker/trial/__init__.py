"""A trial of the whole deployment: engine, images, stack, orders under load, and the judge of `rig`."""
