/* The payload of a container that others are executed in: it waits for a signal. */
#include <unistd.h>

int main(void)
{
	for (;;)
		pause();
}
