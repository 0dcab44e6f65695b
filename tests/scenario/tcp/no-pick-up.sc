set tcp_loose 0
0.000  > 10.0.0.1:40005 198.51.100.7:443 tcp A seq 100 ack 500
       = gone
