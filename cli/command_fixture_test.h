// Runs a command line in this process against a small server on loopback.
#ifndef CHARTLY_CLI_COMMAND_FIXTURE_TEST_H_
#define CHARTLY_CLI_COMMAND_FIXTURE_TEST_H_

#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "cli/cli.h"
#include "test/support/http_fixture.h"
#include "test/support/test.h"

namespace chartly::cli {

struct CommandResult {
  int code = 0;
  std::string out;
  std::string err;
};

inline CommandResult Chartly(std::vector<std::string> arguments, std::map<std::string, std::string> variables = {}) {
  arguments.insert(arguments.begin(), "chartly");
  std::vector<const char*> argv;
  for (const std::string& argument : arguments) argv.push_back(argument.c_str());
  Environment environment;
  environment.get = [&](const char* name) {
    auto found = variables.find(name);
    return found == variables.end() ? std::string() : found->second;
  };
  std::ostringstream out;
  std::ostringstream err;
  int code = RunCommandLine(static_cast<int>(argv.size()), argv.data(), environment, out, err);
  return {code, out.str(), err.str()};
}

inline bool Contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

inline std::string WriteFile(const std::string& path, const std::string& text) {
  std::ofstream(path, std::ios::binary) << text;
  return path;
}

inline constexpr char kGoodProfile[] = R"(id: people
name: People
version: 1.0.0
source: {type: http_rest, url: "https://example.org/x", format: json, records: "rows[*]"}
mapping:
  name: {to: dims.name, required: true}
  value: {to: measures.value, type: integer}
)";

}  // namespace chartly::cli

#endif  // CHARTLY_CLI_COMMAND_FIXTURE_TEST_H_
