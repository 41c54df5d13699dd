"""The GAN: experiments, networks, training, sampling, translating, publishing."""
