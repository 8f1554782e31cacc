"""Step1X-Edit: a Flux transformer behind a connector, told what to do by Qwen2.5-VL."""
