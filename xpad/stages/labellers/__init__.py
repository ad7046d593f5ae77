"""Ways to give points of the components' space to k clusters."""
