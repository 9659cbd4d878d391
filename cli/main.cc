// chartly: the command line.
#include <cstdlib>
#include <iostream>

#include "cli/cli.h"

int main(int argc, char** argv) {
  chartly::cli::Environment environment;
  environment.get = [](const char* name) {
    const char* value = std::getenv(name);
    return value == nullptr ? std::string() : std::string(value);
  };
  return chartly::cli::RunCommandLine(argc, argv, environment, std::cout, std::cerr);
}
