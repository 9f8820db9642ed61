"""The deployment, tried whole: an engine, images, the stack, orders under load, and that nothing was lost."""
