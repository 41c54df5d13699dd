"""From photos to image sets: hands, skin patches, dermoscopic lesions."""
