"""Speech synthesis and recognition: engines in processes of their own, and the pool of them."""
