0.000  > 10.0.0.1:6000 198.51.100.7:3868 sctp INIT tag 0 init 11
       = CLOSED UNREPLIED timeout 10 class NEW
0.010  < sctp INIT_ACK tag 11 init 22
       = COOKIE_WAIT timeout 3
0.020  > sctp COOKIE_ECHO tag 22
       = COOKIE_ECHOED timeout 3
0.030  < sctp COOKIE_ACK tag 11
       = ESTABLISHED ASSURED timeout 210
0.040  > sctp DATA tag 99
       = ESTABLISHED ASSURED timeout 210 class INVALID
0.050  > sctp SHUTDOWN tag 22
       = SHUTDOWN_SENT ASSURED timeout 3
0.060  < sctp SHUTDOWN_ACK tag 11
       = SHUTDOWN_ACK_SENT ASSURED timeout 3
0.070  > sctp SHUTDOWN_COMPLETE tag 22
       = CLOSED ASSURED timeout 10
