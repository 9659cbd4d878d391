// The verb of `deployment` that collects logs.
#ifndef CHARTLY_CLI_DEPLOYMENT_LOGS_H_
#define CHARTLY_CLI_DEPLOYMENT_LOGS_H_

#include "cli/session.h"

namespace chartly::cli {

void AddDeploymentLogs(CLI::App& noun, Session& session);

}  // namespace chartly::cli

#endif  // CHARTLY_CLI_DEPLOYMENT_LOGS_H_
