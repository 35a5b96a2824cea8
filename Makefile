.PHONY: build
build:
	@requirements/build.sh
