/* greeter: answers every client on port 7771 and counts them in /var/lib/greeter/count. */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int main(void)
{
	int one = 1, s = socket(AF_INET, SOCK_STREAM, 0);
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(7771), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	if (s < 0 || bind(s, (struct sockaddr *)&a, sizeof a) || listen(s, 8)) {
		perror("greeter");
		return 1;
	}
	for (unsigned long n = 1;; n++) {
		char text[64];
		int c = accept(s, NULL, NULL);
		FILE *f = fopen("/var/lib/greeter/count", "w");
		if (!f || fprintf(f, "%lu\n", n) < 0 || fclose(f))
			snprintf(text, sizeof text, "sorry\n");
		else
			snprintf(text, sizeof text, "hello number %lu\n", n);
		if (write(c, text, strlen(text)) < 0)
			perror("greeter");
		close(c);
	}
}
