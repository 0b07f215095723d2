// Functions without a body, as those that are linked from the runtime, need a file in assembly beside them.
