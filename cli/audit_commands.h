// The verb of `audit` that needs no server.
#ifndef CHARTLY_CLI_AUDIT_COMMANDS_H_
#define CHARTLY_CLI_AUDIT_COMMANDS_H_

#include "cli/session.h"

namespace chartly::cli {

void AddAuditVerify(CLI::App& noun, Session& session);

}  // namespace chartly::cli

#endif  // CHARTLY_CLI_AUDIT_COMMANDS_H_
