"""How good results are: measures of pictures and of sets, their uncertainty, and what people prefer."""
