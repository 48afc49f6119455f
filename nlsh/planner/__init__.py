"""From a request to a plan: lexer, retrieval, prompt, grammar-constrained decoding, and the decision whether to ask."""
