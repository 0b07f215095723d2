/* What every contender's container runs: it does nothing, so that the rest is what is measured. */
int main(void) { return 0; }
