"""Inner loops of the cells and of the sphere: vector instructions, polynomials and transforms."""
