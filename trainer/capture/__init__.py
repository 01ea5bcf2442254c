"""Recording a pedal or amp through the audio interface, setting by setting."""
