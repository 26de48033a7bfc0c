// Queue workers under PM2: set cwd and args, then `pm2 start ecosystem.config.cjs && pm2 save`.
// After a deployment: npx nestjs-queue queue:restart. Each worker ends after its jobs, and comes back with the new code.
module.exports = {
  apps: [
    {
      name: 'queue-worker',
      cwd: '/srv/app',
      // The file itself, not npm or npx, which would stand between PM2's signals and the worker.
      script: 'node_modules/nestjs-queue/dist/cli/bin.js',
      args: 'queue:work --queue=high,default --concurrency=20 --memory=512',
      env: { NODE_ENV: 'production' },

      // One process per core: a process runs JavaScript on one of them. Workers share no port, so they need no cluster.
      instances: 2,
      exec_mode: 'fork',

      // A worker ends with 0 (told to: signal, queue:restart, --max-jobs, --max-time), 1 (an error, or a job that could not be
      // stopped) and 12 (--memory). Each time a new one is wanted; one that keeps ending at once is started ever less often.
      autorestart: true,
      exp_backoff_restart_delay: 500,
      // No max_memory_restart: --memory ends a worker between jobs, PM2 would interrupt them.

      // PM2 sends SIGINT, which a worker takes as it takes SIGTERM: it takes no more jobs and gives those that run --grace (25 s by
      // default), the rest goes back to the queue. With a store that does not answer it ends itself 15 s later. Only then SIGKILL:
      // keep this longer than --grace and 15 s. Milliseconds. `pm2 stop` stops one worker after the other, and may take that for each.
      kill_timeout: 45_000,
      // The signal is for the worker alone, since what its jobs have started (ffmpeg, a browser) is to go on while they end.
      treekill: false,

      merge_logs: true,
      time: true,
    },
  ],
};
