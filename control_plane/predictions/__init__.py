"""From a picture to an answer: once, again, in the shadow, and as a proof of readiness."""
