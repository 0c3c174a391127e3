"""Training of autoencoder and flow: modules, command line, optimizers, run folders."""
