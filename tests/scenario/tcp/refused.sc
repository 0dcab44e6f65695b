# A RST that answers the SYN leaves nothing.
0.000  > 10.0.0.1:40002 198.51.100.7:25 tcp S seq 100
0.010  < tcp RA seq 0 ack 101
       = gone
