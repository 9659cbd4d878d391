// Waiting for the signal that ends a process. BlockStopSignals comes first in main, before any thread is made, so that
// every thread inherits the mask and only WaitForStopSignal sees them.
#ifndef CHARTLY_COMMON_CONFIG_SIGNALS_H_
#define CHARTLY_COMMON_CONFIG_SIGNALS_H_

namespace chartly {

// Blocks SIGTERM and SIGINT, and ignores SIGPIPE.
void BlockStopSignals();
// Returns the number of the signal that came.
int WaitForStopSignal();
// Ends the wait of WaitForStopSignal from within, with SIGTERM: the process cannot go on.
void RaiseStopSignal();

}  // namespace chartly

#endif  // CHARTLY_COMMON_CONFIG_SIGNALS_H_
