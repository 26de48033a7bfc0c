#!/usr/bin/env node
import { loadApp, locateApp } from './find-app.js';
import { runProgram } from './program.js';
import { endProcess, unquoted } from './queue-cli.js';
import { ownArguments } from './self-process.js';

const args = ownArguments(process.argv.slice(2)).map(unquoted);
const module = (app: string | undefined) => loadApp(locateApp(app, process.cwd()));
await endProcess(await runProgram(args, { name: 'nestjs-queue', module, findsApp: true }));
