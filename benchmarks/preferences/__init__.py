"""What people prefer: strengths from votes on pairs, how sure they are, and which pair to ask about next."""
