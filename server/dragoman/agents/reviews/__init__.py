"""Reviews: findings of a model's stream, anchored to the text that they are about."""
