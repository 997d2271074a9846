/* lido: database sessions for C. This header includes all the others; docs/ and README.md say how they fit. */
#ifndef LIDO_H
#define LIDO_H

#include <lido/arguments.h>
#include <lido/bulk.h>
#include <lido/engine.h>
#include <lido/error.h>
#include <lido/events.h>
#include <lido/function.h>
#include <lido/here.h>
#include <lido/log.h>
#include <lido/loop.h>
#include <lido/manager.h>
#include <lido/metrics.h>
#include <lido/model.h>
#include <lido/object.h>
#include <lido/options.h>
#include <lido/rows.h>
#include <lido/schema.h>
#include <lido/seed.h>
#include <lido/session.h>
#include <lido/statement.h>
#include <lido/task.h>
#include <lido/transaction.h>
#include <lido/value.h>
#include <lido/version.h>
#include <lido/workers.h>

#endif
