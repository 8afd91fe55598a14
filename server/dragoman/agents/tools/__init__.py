"""What agents can do: tools with a permission class each, and the policy and the questions that stand before them."""
