"""MANO-convention hand: skeleton, forward kinematics and the XHand mapping."""
