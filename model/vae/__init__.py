"""The autoencoder and what teaches it: networks, objective, pretrained features, discriminator."""
