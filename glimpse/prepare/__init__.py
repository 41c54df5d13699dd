"""From photos to image sets: hands, skin patches, dermoscopic lesions, and phantoms that everybody can have."""
